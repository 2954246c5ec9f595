// SPDX-License-Identifier: Apache-2.0

#include "fibers.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <ucontext.h>

// Debug builds of Swift keep all their temporaries.
static const size_t stack_size = 128 * 1024;

struct fiber {
    ucontext_t context;
    ucontext_t resumer;
    void (*body)(void *argument);
    void *argument;
    void *stack;
};

// makecontext passes ints only: a pointer goes in two halves.
static void fiber_main(unsigned upper, unsigned lower) {
    fiber *fiber = (struct fiber *)((uintptr_t)upper << 32 | lower);
    fiber->body(fiber->argument);
}

fiber *fiber_create(void (*body)(void *argument), void *argument) {
    fiber *fiber = malloc(sizeof(*fiber));
    void *stack = malloc(stack_size);
    if (fiber == NULL || stack == NULL || getcontext(&fiber->context) != 0) abort();
    fiber->body = body;
    fiber->argument = argument;
    fiber->stack = stack;
    fiber->context.uc_stack.ss_sp = stack;
    fiber->context.uc_stack.ss_size = stack_size;
    fiber->context.uc_link = &fiber->resumer;
    uintptr_t address = (uintptr_t)fiber;
    makecontext(&fiber->context, (void (*)(void))fiber_main, 2, (unsigned)(address >> 32), (unsigned)address);
    return fiber;
}

void fiber_resume(fiber *fiber) {
    if (swapcontext(&fiber->resumer, &fiber->context) != 0) abort();
}

void fiber_pause(fiber *fiber) {
    if (swapcontext(&fiber->context, &fiber->resumer) != 0) abort();
}

void fiber_destroy(fiber *fiber) {
    free(fiber->stack);
    free(fiber);
}

static _Thread_local void *thread_value;

void *fiber_thread_value(void) { return thread_value; }

void fiber_set_thread_value(void *value) { thread_value = value; }
