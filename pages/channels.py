"""See what each channel is worth, keep or remove some by hand, and look at what they answer."""

import streamlit as st

from explorer.ui import channel_pictures, channels, findings

group = channels.choose_group()
found = channels.importance(group) if group else None
if group and found:
    channels.draw_importance(group, found)
    st.subheader("Channels that could go first", anchor=False)
    findings.draw(group, found)
    channel_pictures.draw(group, found)
