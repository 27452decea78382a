"""What a run looks like, for people: pictures. Takes arrays and numbers, reads no files."""
