"""Chain check: proof, before it is needed, that every owner can be reached and every clock fires."""
