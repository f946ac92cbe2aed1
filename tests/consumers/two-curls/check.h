/* CHECK(condition, why): ends the program with the place and the reason. */
#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition, why)                                                        \
  do {                                                                               \
    if (!(condition)) {                                                              \
      fprintf(stderr, "%s:%d: not (%s): %s\n", __FILE__, __LINE__, #condition, why); \
      exit(1);                                                                       \
    }                                                                                \
  } while (0)
