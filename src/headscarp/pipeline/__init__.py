"""The rooms wired: from options to a run folder. The command line holds no logic beyond this."""
