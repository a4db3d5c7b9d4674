"""An event with known truth, written as the files of a real one."""
