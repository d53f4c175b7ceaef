"""What mini remembers: one SQLite database behind one repository per noun. Nothing else knows SQL, no row leaves."""
