"""The sidebar: model, data, device, memory."""
