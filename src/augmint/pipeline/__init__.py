"""The corridor: the only room that knows the others. Plans, runs, resumes, verifies and replays."""
