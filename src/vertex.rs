//! Vertex AI's requests as a closed grammar: a request line is one of the routes of `routes.txt`, in
//! its one canonical spelling, or it is refused. What leaves is written from the parsed target.

mod alphabet;
mod body;
mod canonical;
mod claude;
mod express;
mod host;
mod known;
mod labels;
mod model;
mod query;
mod route;
mod short_path;

use std::fmt;

pub use body::{Body, BodyScanner, CapMember, Media};
pub use canonical::respell;
pub use claude::{BodyEdit, vertex_model_name};
pub use express::{EXPRESS_LOCATION, EXPRESS_PUBLISHER, express_methods};
pub use host::host_of;
pub use known::{is_known_location, is_known_publisher, known_publishers, speaks};
pub use labels::{LabelValue, Labels, MAX_LABELS, is_label_name, is_label_value};
pub use model::{Misnamed, Model, ModelText};
pub use query::{Alt, Query};
pub use route::{
    Class, ModelPlace, Route, Segment, Tokens, Variable, is_place_name, operation_of, routes,
};
pub use short_path::{Api, base_url_fault, model_list_asked, short_paths};

use crate::error::Reason;
use crate::test_switches::{Check, on};
use route::PathNames;
use short_path::Spelled;

/// The longest name in a URL, in bytes; Google's are no longer.
const MAX_NAME_BYTES: usize = 128;

/// The location of requests whose path names none.
const NO_LOCATION: &str = "global";

/// A parsed request line, each part checked against its alphabet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target<'u> {
    /// Its row of the table.
    pub route: &'static Route,
    /// `v1` or `v1beta1`.
    pub version: &'u str,
    /// The Google project's id or number; `None` if it belongs to no project.
    pub project: Option<&'u str>,
    /// The location; empty until a role gives it.
    pub location: &'u str,
    /// The model, from the path or, once it was read, from the body.
    pub model: Option<Model<'u>>,
    /// The query.
    pub query: Query<'u>,
    /// The API in whose way the path was written.
    pub api: Api,
    names: PathNames<'u>,
}

impl<'u> Target<'u> {
    /// Reads a request line's method and URL in origin form (RFC 9112 section 3.2.1), spelled by
    /// [`respell`].
    ///
    /// # Errors
    /// `url_not_canonical`, `route_unknown`, `query_not_allowed`.
    pub fn parse(http_method: &str, url: &'u str) -> Result<Self, Reason> {
        let (path, query) = match url.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (url, None),
        };
        if path == "/" {
            return Err(Reason::RouteUnknown);
        }
        if on(Check::Spelling) {
            canonical::check(path)?;
        }
        let (version, path) =
            path.strip_prefix('/').and_then(|p| p.split_once('/')).ok_or(Reason::RouteUnknown)?;
        let Spelled { route, version, names, api } = match Route::find(http_method, version, path) {
            Some((route, names)) => Spelled { route, version, names, api: Api::Vertex },
            None => short_path::find(http_method, version, path).ok_or(Reason::RouteUnknown)?,
        };
        let mut target = Self {
            route,
            version,
            project: None,
            location: NO_LOCATION,
            model: None,
            query: Query::default(),
            api,
            names,
        };
        let mut publisher = "";
        for (variable, name) in route.variables().zip(names) {
            let is_open = name.is_empty() && api != Api::Vertex;
            if on(Check::Names) && !is_open && !variable.fits(name) {
                return Err(Reason::UrlNotCanonical);
            }
            match variable {
                Variable::Project => target.project = Some(name).filter(|_| !is_open),
                Variable::Location => target.location = name,
                Variable::Publisher => publisher = name,
                Variable::Model if publisher.is_empty() => {
                    target.model = Some(Model { publisher: "models", name });
                }
                Variable::Model => target.model = Some(Model { publisher, name }),
                Variable::Endpoint => target.model = Some(Model::endpoint(name)),
                Variable::Id => {}
            }
        }
        if target.names_model_in_body() || route.model != ModelPlace::Path {
            target.model = None;
        }
        target.query =
            query.map(|query| Query::parse(query, route, api)).transpose()?.unwrap_or_default();
        Ok(target)
    }

    /// Whether the path names no project and no location, and is to have both.
    #[must_use]
    pub fn lacks_place(&self) -> bool {
        self.api != Api::Vertex
            && self.project.is_none()
            && self.route.variables().next() == Some(Variable::Project)
    }

    /// The target in this project and location, if its path names none.
    #[must_use]
    pub fn at(mut self, project: &'u str, location: &'u str) -> Self {
        if self.lacks_place() {
            (self.project, self.location) = (Some(project), location);
            let [first, second, ..] = &mut self.names;
            (*first, *second) = (project, location);
        }
        self
    }

    /// The publisher in the path, if any.
    #[must_use]
    pub fn publisher(&self) -> Option<&'u str> {
        let mut named = self.route.variables().zip(self.names);
        named.find_map(|(variable, name)| (variable == Variable::Publisher).then_some(name))
    }

    /// Writes the path and query that are sent to Google.
    pub fn write_to(&self, out: &mut String) {
        self.write_without((0, 0), out);
    }

    /// Writes them without so many of the first segments, and as many names as these hold.
    fn write_without(&self, (segments, names): (usize, usize), out: &mut String) {
        out.push('/');
        out.push_str(self.version);
        let mut names = self.names.iter().skip(names);
        for segment in self.route.segments.iter().skip(segments) {
            out.push('/');
            out.push_str(match segment {
                Segment::Literal(literal) => literal,
                Segment::Variable(_) => names.next().map_or("", |name| name),
            });
        }
        if !self.route.verb.is_empty() {
            out.push(':');
            out.push_str(self.route.verb);
        }
        self.query.write_to(out);
    }
}

/// The names of all methods, as roles write them; some stand more than once.
pub fn method_names() -> impl Iterator<Item = &'static str> {
    routes().iter().map(|route| route.method.as_str())
}

impl Route {
    fn variables(&self) -> impl Iterator<Item = Variable> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Literal(_) => None,
            Segment::Variable(variable) => Some(*variable),
        })
    }
}

/// The path and query that are sent to Google.
impl fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        self.write_to(&mut out);
        f.write_str(&out)
    }
}
