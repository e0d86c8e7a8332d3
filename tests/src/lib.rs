//! Cases and generators that the end-to-end tests share.
