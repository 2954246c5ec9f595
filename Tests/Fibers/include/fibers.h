// SPDX-License-Identifier: Apache-2.0
// Threads of control that take turns on one thread, each with a stack of its own. For tests that step code;
// not under a sanitizer, which does not follow from stack to stack.

#ifndef WEIR_FIBERS_H
#define WEIR_FIBERS_H

typedef struct fiber fiber;

/// One that will call `body` with `argument`.
fiber *fiber_create(void (*body)(void *argument), void *argument);

/// Lets it run until it pauses or its body returns. From outside of any fiber.
void fiber_resume(fiber *fiber);

/// Ends this turn of the fiber that runs.
void fiber_pause(fiber *fiber);

/// What lies on its stack is not released: its body has returned, or is given up.
void fiber_destroy(fiber *fiber);

/// A pointer of this thread, null at first.
void *fiber_thread_value(void);
void fiber_set_thread_value(void *value);

#endif
