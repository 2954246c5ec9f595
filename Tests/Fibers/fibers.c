// SPDX-License-Identifier: Apache-2.0

#include "fibers.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

// Debug builds of Swift keep all their temporaries. What is never touched takes no memory; below lies a page that
// nobody may touch.
static const size_t stack_size = 1024 * 1024;
static const size_t guard_size = 64 * 1024;

// Stacks of fibers that have ended, of this thread: an exploration makes many thousands, a few at a time.
enum { SPARES_MAX = 8 };
static _Thread_local void *spares[SPARES_MAX];
static _Thread_local int spare_count;

static void *take_stack(void) {
    if (spare_count > 0) return spares[--spare_count];
    void *stack = mmap(NULL, stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stack == MAP_FAILED || mprotect(stack, guard_size, PROT_NONE) != 0) abort();
    return stack;
}

static void give_stack(void *stack) {
    if (spare_count < SPARES_MAX) {
        spares[spare_count++] = stack;
    } else {
        munmap(stack, stack_size);
    }
}

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
    void *stack = take_stack();
    if (fiber == NULL || getcontext(&fiber->context) != 0) abort();
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
    give_stack(fiber->stack);
    free(fiber);
}

static _Thread_local void *thread_value;

void *fiber_thread_value(void) { return thread_value; }

void fiber_set_thread_value(void *value) { thread_value = value; }
