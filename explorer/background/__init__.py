"""Background work: lanes of jobs, their states, and measurements that several users share."""
