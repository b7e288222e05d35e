"""What two or more rooms of the host side use. Imports none of them."""
