"""What only the pages of the book use: settings for a machine, players, quizzes, dark figures."""
