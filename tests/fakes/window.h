/*
 * What a test may ask of tests/fakes/window.c.
 */
#ifndef CAISSON_TESTS_FAKES_WINDOW_H
#define CAISSON_TESTS_FAKES_WINDOW_H

extern unsigned fake_windows_open;

#endif
