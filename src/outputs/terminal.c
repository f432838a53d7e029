#include "outputs/terminal.h"

#include "base/buffer.h"
#include "base/container.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* Bytes per write. When a pipe is ready, it takes so many without blocking. */
#define PIECE 4096

/* --- The settings of the terminal. Signal handlers use them, so they are static. --- */

static struct {
    volatile sig_atomic_t is_taken; /* the screen is ours */
    volatile sig_atomic_t is_raw;   /* the keyboard, too: `before` has its settings from before */
    struct termios before, raw;
} screen;

static const int fatal[] = {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGQUIT, SIGSEGV, SIGSYS};
static struct sigaction fatal_before[ARRAY_LEN(fatal)];

static void write_text(const char *text)
{
    ssize_t written = write(STDOUT_FILENO, text, strlen(text));
    (void) written; /* a terminal that is gone needs nothing */
}

/* Gives the screen back. Calls only functions that a signal handler may call. */
static void leave_screen(void)
{
    if (!screen.is_taken) return;
    screen.is_taken = 0;
    write_text("\x1b[?25h\x1b[?1049l");
    if (screen.is_raw) tcsetattr(STDIN_FILENO, TCSANOW, &screen.before);
}

static void enter_screen(void)
{
    if (screen.is_raw) tcsetattr(STDIN_FILENO, TCSANOW, &screen.raw);
    screen.is_taken = 1;
    write_text("\x1b[?1049h\x1b[?25l");
}

/* Restores the terminal, and leaves the rest to who handled the signal before. */
static void on_fatal(int number)
{
    leave_screen();
    for (size_t n = 0; n < ARRAY_LEN(fatal); n++) {
        if (fatal[n] == number) sigaction(number, &fatal_before[n], NULL);
    }
    /* A fault happens again when the handler returns; the other signals must be sent again. */
    if (number == SIGABRT || number == SIGQUIT || number == SIGSYS) raise(number);
}

static int watch_fatal(void)
{
    struct sigaction action = {.sa_handler = on_fatal, .sa_flags = SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    for (size_t n = 0; n < ARRAY_LEN(fatal); n++) {
        sigaction(fatal[n], NULL, &fatal_before[n]);
        /* Whoever started the program decides what it ignores: a shell does so for SIGQUIT behind an `&`. */
        if (fatal_before[n].sa_handler != SIG_IGN) sigaction(fatal[n], &action, NULL);
    }
    return at_quick_exit(leave_screen) == 0 ? 0 : UV_ENOMEM;
}

static bool is_screen(void)
{
    const char *kind = getenv("TERM");
    return isatty(STDOUT_FILENO) && kind && kind[0] && strcmp(kind, "dumb") != 0;
}

/* Without echo and without waiting for the end of a line. Ctrl-C and Ctrl-Z still send their signals. */
static void prepare_keyboard(struct terminal *terminal)
{
    terminal->has_keys = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &screen.before) == 0;
    if (!terminal->has_keys) return;
    screen.raw = screen.before;
    screen.raw.c_lflag &= ~(tcflag_t) (ICANON | ECHO);
    screen.raw.c_cc[VMIN] = 1;
    screen.raw.c_cc[VTIME] = 0;
    screen.is_raw = 1;
}

/* --- Keys --- */

/* Returns the key of a complete escape sequence, 0 for an unknown one, or -1 if bytes are missing. */
static int find_key(const char *bytes, size_t len)
{
    static const struct {
        const char *bytes;
        enum key key;
    } keys[] = {
        {"\x1b[A", KEY_UP},    {"\x1bOA", KEY_UP},   {"\x1b[B", KEY_DOWN},     {"\x1bOB", KEY_DOWN},
        {"\x1b[H", KEY_HOME},  {"\x1bOH", KEY_HOME}, {"\x1b[F", KEY_END},      {"\x1bOF", KEY_END},
        {"\x1b[1~", KEY_HOME}, {"\x1b[4~", KEY_END}, {"\x1b[5~", KEY_PAGE_UP}, {"\x1b[6~", KEY_PAGE_DOWN},
    };
    char last = bytes[len - 1];
    for (size_t n = 0; n < ARRAY_LEN(keys); n++) {
        if (strlen(keys[n].bytes) == len && memcmp(bytes, keys[n].bytes, len) == 0) return (int) keys[n].key;
    }
    if (len < 3) return len == 2 && last != '[' && last != 'O' ? 0 : -1;
    return last >= '@' && last <= '~' ? 0 : -1;
}

static void take_byte(struct terminal *terminal, char byte)
{
    if (terminal->escape_len == 0 && byte != '\x1b') {
        terminal->events->on_key(terminal, (unsigned char) byte);
        return;
    }
    terminal->escape[terminal->escape_len++] = byte;
    int key = find_key(terminal->escape, terminal->escape_len);
    if (key >= 0 || terminal->escape_len == sizeof(terminal->escape)) terminal->escape_len = 0;
    if (key > 0) terminal->events->on_key(terminal, key);
}

static void on_input(uv_poll_t *input, int status, int events)
{
    struct terminal *terminal = container_of(input, struct terminal, input);
    char bytes[64];
    (void) events;
    ssize_t n = status < 0 ? 0 : read(STDIN_FILENO, bytes, sizeof(bytes));
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (n <= 0) {
        uv_poll_stop(input);
        terminal->events->on_gone(terminal);
        return;
    }
    for (ssize_t i = 0; i < n && !uv_is_closing((uv_handle_t *) input); i++) take_byte(terminal, bytes[i]);
}

/* --- Signals --- */

static void on_signal(uv_signal_t *handle, int number)
{
    struct terminal *terminal = handle->data;
    if (number == SIGTSTP) {
        leave_screen();
        raise(SIGSTOP); /* returns when the program continues */
    }
    if (number != SIGWINCH) enter_screen();
    terminal->events->on_resize(terminal);
}

static int start_handles(struct terminal *terminal, uv_loop_t *loop)
{
    static const int numbers[] = {SIGWINCH, SIGTSTP, SIGCONT};
    int result = 0;
    for (size_t n = 0; n < ARRAY_LEN(numbers) && result == 0; n++) {
        uv_signal_t *handle = &terminal->signals[n];
        result = uv_signal_init(loop, handle);
        if (result < 0) return result;
        terminal->open++;
        handle->data = terminal;
        result = uv_signal_start(handle, on_signal, numbers[n]);
    }
    if (result < 0 || !terminal->has_keys) return result;
    result = uv_poll_init(loop, &terminal->input, STDIN_FILENO);
    if (result < 0) return result;
    terminal->open++;
    return uv_poll_start(&terminal->input, UV_READABLE, on_input);
}

int terminal_start(struct terminal *terminal, uv_loop_t *loop, const struct terminal_events *events)
{
    *terminal = (struct terminal){.events = events, .has_screen = is_screen()};
    if (!terminal->has_screen) return 0;
    prepare_keyboard(terminal);
    int result = start_handles(terminal, loop);
    if (result == 0) result = watch_fatal();
    if (result == 0) enter_screen();
    return result;
}

/* --- Frames --- */

void terminal_size(unsigned *columns, unsigned *rows)
{
    struct winsize size;
    *columns = 80;
    *rows = 24;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0 || size.ws_row == 0) return;
    *columns = size.ws_col;
    *rows = size.ws_row;
}

static int write_bytes(struct slice bytes)
{
    while (bytes.len) {
        struct pollfd ready = {STDOUT_FILENO, POLLOUT, 0};
        ssize_t n = poll(&ready, 1, -1) < 0
                        ? -1
                        : write(STDOUT_FILENO, bytes.data, bytes.len < PIECE ? bytes.len : PIECE);
        if (n < 0 && errno != EAGAIN) return uv_translate_sys_error(errno);
        if (n > 0) bytes = slice_from(bytes, (size_t) n);
    }
    return 0;
}

/*
 * The cursor goes home. Each line is cleared before it is written, since clearing what follows a full line
 * would hit its last character.
 */
int terminal_show(struct terminal *terminal, struct slice frame)
{
    struct buffer bytes;
    if (!terminal->has_screen) return write_bytes(frame);
    buffer_init(&bytes, 4 * frame.len + 64);
    buffer_append_string(&bytes, "\x1b[H");
    while (frame.len) {
        buffer_append_string(&bytes, "\x1b[K");
        buffer_append_slice(&bytes, slice_cut(&frame, '\n'));
        if (frame.len) buffer_append_string(&bytes, "\r\n");
    }
    buffer_append_string(&bytes, "\x1b[0J");
    int result = bytes.failed ? UV_ENOMEM : write_bytes(buffer_slice(&bytes));
    buffer_deinit(&bytes);
    return result;
}

/* --- The end --- */

static void finish_terminal(struct terminal *terminal)
{
    if (terminal->open == 0) terminal->on_close(terminal);
}

static void on_signal_closed(uv_handle_t *handle)
{
    struct terminal *terminal = handle->data;
    terminal->open--;
    finish_terminal(terminal);
}

static void on_input_closed(uv_handle_t *handle)
{
    struct terminal *terminal = container_of((uv_poll_t *) handle, struct terminal, input);
    terminal->open--;
    finish_terminal(terminal);
}

void terminal_close(struct terminal *terminal, terminal_close_fn on_close)
{
    unsigned signals =
        terminal->open < ARRAY_LEN(terminal->signals) ? terminal->open : ARRAY_LEN(terminal->signals);
    bool reads = terminal->open > signals;
    terminal->on_close = on_close;
    leave_screen();
    if (reads) uv_close((uv_handle_t *) &terminal->input, on_input_closed);
    for (unsigned n = 0; n < signals; n++) uv_close((uv_handle_t *) &terminal->signals[n], on_signal_closed);
    finish_terminal(terminal);
}
