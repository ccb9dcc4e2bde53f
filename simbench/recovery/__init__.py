"""What an exchange's side of recovery serves, derived from what a receiver knows."""
