//! What all connections share.

use crate::bearer::Checker;
use crate::doors::Door;
use crate::gate::Gate;
use crate::google_behaviour;
use crate::identity::Identity;
use crate::idp_behaviour::Behaviours;
use crate::keystore::{Issuer, Keystore};
use crate::recorder::{Port, Recorder};
use crate::tls::Acceptors;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

pub struct App {
    pub acceptors: Acceptors,
    pub store: Keystore,
    pub issuers: BTreeMap<String, Issuer>,
    pub idp_behaviours: Behaviours,
    pub bearers: Checker,
    pub google: RwLock<Arc<google_behaviour::Behaviour>>,
    pub gate: Gate,
    pub identity: Identity,
    pub recorder: Recorder,
    pub doors: Vec<Door>,
}

impl App {
    pub fn google_behaviour(&self) -> Arc<google_behaviour::Behaviour> {
        Arc::clone(&self.google.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn port_of(&self, port: Port) -> u16 {
        self.doors.iter().find(|d| d.port == port).map_or(0, |d| d.number)
    }
}
