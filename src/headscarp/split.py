"""What a split into training, validation and test is: chips with an identity and a place."""
