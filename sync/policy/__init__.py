"""What each channel should show: the merchant's rules, and the targets that follow from them."""
