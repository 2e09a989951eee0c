"""Many measurements that answer one question: scans, curves, searches, agreement."""
