//! The two handshakes of PostgreSQL's protocol: tables of what each state makes of each event, whole logins against independent
//! implementations, random splits and random bytes.

mod back;
mod back_logins;
mod frames;
mod front;
mod front_logins;
mod front_startup;
mod shown;
