"""See how important each channel is, keep or remove some by hand, and look at their responses."""

import streamlit as st

from explorer.ui.channels import findings, importance, pictures, texts

group = importance.choose_group()
scores = importance.importance(group) if group else None
if group and scores:
    importance.draw_importance(group, scores)
    st.header("Channels that could go first", anchor=False)
    findings.draw(group, scores)
    if texts.reads_text():
        texts.draw(group, scores)
    else:
        pictures.draw(group, scores)
