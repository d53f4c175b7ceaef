"""Certificates in the hands of the control plane: issued, checked, kept in files. The router only reads those files."""
