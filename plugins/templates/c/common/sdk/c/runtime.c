// Memory for a policy. Each decision runs in a fresh instance, so blocks are handed out one after the other and none is
// ever taken back: the whole memory goes when the decision is made.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES 65536u
#define ALIGNMENT 16u

// Placed by the linker behind all static data.
extern unsigned char __heap_base;

static uintptr_t next_block;

void *malloc(size_t size) {
  if (next_block == 0) next_block = ((uintptr_t)&__heap_base + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1);
  // The size stands before the block: realloc has to know it.
  uintptr_t block = next_block + ALIGNMENT;
  if (size > UINT32_MAX - block - ALIGNMENT - PAGE_BYTES) abort();
  uintptr_t end = (block + size + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1);
  uintptr_t memory = (uintptr_t)__builtin_wasm_memory_size(0) * PAGE_BYTES;
  if (end > memory) {
    size_t pages = (end - memory + PAGE_BYTES - 1) / PAGE_BYTES;
    // The host's limit is reached: it records a memory fault and asks the next link of its chain.
    if (__builtin_wasm_memory_grow(0, pages) == SIZE_MAX) abort();
  }
  *(size_t *)(block - ALIGNMENT) = size;
  next_block = end;
  return (void *)block;
}

void *calloc(size_t count, size_t size) {
  if (size != 0 && count > SIZE_MAX / size) abort();
  // Fresh memory is zero, and no block is handed out twice.
  return malloc(count * size);
}

void *realloc(void *block, size_t size) {
  if (block == NULL) return malloc(size);
  size_t old_size = *(size_t *)((uintptr_t)block - ALIGNMENT);
  if (size <= old_size) return block;
  void *larger = malloc(size);
  memcpy(larger, block, old_size);
  return larger;
}

void free(void *block) { (void)block; }

_Noreturn void abort(void) { __builtin_trap(); }

// Loops that the compiler must not turn into calls of themselves.
#define PLAIN __attribute__((no_builtin))

PLAIN void *memcpy(void *to, const void *from, size_t count) {
  unsigned char *target = to;
  const unsigned char *source = from;
  for (size_t at = 0; at < count; at += 1) target[at] = source[at];
  return to;
}

PLAIN void *memmove(void *to, const void *from, size_t count) {
  unsigned char *target = to;
  const unsigned char *source = from;
  if ((uintptr_t)target <= (uintptr_t)source) return memcpy(to, from, count);
  for (size_t at = count; at > 0; at -= 1) target[at - 1] = source[at - 1];
  return to;
}

PLAIN void *memset(void *block, int byte, size_t count) {
  unsigned char *target = block;
  for (size_t at = 0; at < count; at += 1) target[at] = (unsigned char)byte;
  return block;
}

PLAIN int memcmp(const void *a, const void *b, size_t count) {
  const unsigned char *left = a, *right = b;
  for (size_t at = 0; at < count; at += 1) {
    if (left[at] != right[at]) return left[at] < right[at] ? -1 : 1;
  }
  return 0;
}

PLAIN size_t strlen(const char *text) {
  size_t length = 0;
  while (text[length] != 0) length += 1;
  return length;
}

// The bindings ask for an object that carries the component's type. `pointsman policy build` adds the type itself, from
// the contract in `wit/`, so nothing has to be linked.
void __component_type_object_force_link_policy(void) {}
