"""What a bundle looks like in each receiver's form: pure functions of its content, all free text escaped and capped."""
