//! Four deliberately worse policies, each shown by simulation, by dry run and in shadow to be worse than the shipped one of
//! its kind. The figures are printed.

mod support;

mod worse {
    mod outsides;
    mod recorded;
    mod simulated;
}
