"""Is it forgotten? A model attacked, questioned, and looked at beside what it should have kept."""
