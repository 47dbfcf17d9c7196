//! Under construction: not for use yet.
