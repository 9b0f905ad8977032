//! Many packets as one polling body, in both revisions. Knows bytes and packets only.
