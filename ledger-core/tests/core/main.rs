//! The rules from outside: everything here uses what the faces and the storage use.

mod documents;
mod liveness;
mod orderings;
mod requests;
mod rules;
mod sequences;
mod story;
