"""Service figures on their way in: samples over HTTP, sources that are asked, conversation texts."""
