"""What `wavemill doctor` looks at: each file a part, which never raises and says what it found."""
