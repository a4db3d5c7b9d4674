"""The main job: scenes and an event date become a run folder."""
