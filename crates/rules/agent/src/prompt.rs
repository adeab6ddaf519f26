//! The words a model reads. Those for the tiny model are exactly the words it was trained on; those for larger
//! models are files with a size cap.

pub mod fit;
pub mod function;
pub mod repository;
