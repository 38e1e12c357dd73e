//! What is appended can be read back, views tell the story, and nothing can be changed unnoticed.

mod common;

mod journal {
    mod appended;
    mod changed;
    mod decisions;
    mod opening;
    mod past;
    mod story;
    mod views;
}
