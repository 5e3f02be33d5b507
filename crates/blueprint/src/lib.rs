//! Load, include, merge, interpolate and validate blueprints
