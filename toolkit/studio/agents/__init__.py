"""The studio for programs that talk: the Model Context Protocol over stdio and HTTP, over the same desk."""
