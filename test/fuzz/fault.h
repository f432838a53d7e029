/* How a fuzz target reports what the code under test must not do: the process ends with a message. */
#ifndef FUZZ_FAULT_H
#define FUZZ_FAULT_H

#define fault(...) fault_at(__FILE__, __LINE__, __VA_ARGS__)
#define expect(condition)                                                                                    \
    do {                                                                                                     \
        if (!(condition)) fault("%s is not so", #condition);                                                 \
    } while (0)

void fault_at(const char *file, int line, const char *format, ...)
    __attribute__((noreturn, format(printf, 3, 4)));

#endif
