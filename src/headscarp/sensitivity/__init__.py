"""What can be found on a stack: landslides are planted, mapped and counted."""
