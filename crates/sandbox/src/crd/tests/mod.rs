//! What a server of release 1.36 answered to the requests in the files beside this one.

mod costs;
mod definitions;
mod hostile;
mod objects;
mod served;
