// A ceiling of the benchmark: a WebSocket echo on uWebSockets, without Engine.IO and without Python. The library is the
// one inside PyPI's `socketify`, whose C interface is declared here as far as it is used.
//
// An open packet is sent so that an Engine.IO client goes on; no session, no heartbeat. Text that begins with "4b" goes
// to everybody, by the library's own publish.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef struct app app;
typedef struct socket socket;
typedef struct loop loop;
typedef enum { TEXT = 1 } opcode;
typedef struct { int port; const char *host; int options; } listen_config;
typedef struct { const char *names[6]; int prefer_low_memory; } context_options;
typedef struct {
  int compression;
  unsigned max_payload;
  unsigned short idle_timeout;
  unsigned max_backpressure;
  bool close_on_backpressure, reset_on_send, send_pings;
  unsigned short max_lifetime;
  void *upgrade;
  void (*open)(socket *, void *);
  void (*message)(socket *, const char *, size_t, opcode, void *);
  void *drain, *ping, *pong, *close, *subscription;
} behavior;

loop *socketify_create_loop(void);
void *socketify_get_native_loop(loop *);
int socketify_loop_run(loop *, int mode);
void *uws_get_loop_with_native(void *);
app *uws_create_app(int ssl, context_options);
void uws_ws(int ssl, app *, const char *pattern, behavior, void *);
void uws_app_listen_with_config(int ssl, app *, listen_config, void (*)(void *, listen_config, void *), void *);
int us_socket_local_port(int ssl, void *);
int uws_ws_send(int ssl, socket *, const char *, size_t, opcode);
bool uws_ws_subscribe(int ssl, socket *, const char *topic, size_t);
bool uws_publish(int ssl, app *, const char *topic, size_t, const char *, size_t, opcode, bool compress);

static const char OPEN[] =
    "0{\"sid\":\"AAAAAAAAAAAAAAAAAAAA\",\"upgrades\":[],\"pingInterval\":25000,\"pingTimeout\":20000,"
    "\"maxPayload\":1000000}";
static app *server;

static void opened(socket *ws, void *unused) {
  (void)unused;
  uws_ws_subscribe(0, ws, "all", 3);
  uws_ws_send(0, ws, OPEN, sizeof OPEN - 1, TEXT);
}

static void message(socket *ws, const char *data, size_t length, opcode code, void *unused) {
  (void)unused;
  if (code == TEXT && length > 1 && memcmp(data, "4b", 2) == 0)
    uws_publish(0, server, "all", 3, data, length, code, false);
  else
    uws_ws_send(0, ws, data, length, code);
}

static void listening(void *listener, listen_config config, void *unused) {
  (void)config, (void)unused;
  if (listener) printf("listening on http://127.0.0.1:%d\n", us_socket_local_port(0, listener));
  fflush(stdout);
}

int main(void) {
  loop *own = socketify_create_loop();
  uws_get_loop_with_native(socketify_get_native_loop(own));
  server = uws_create_app(0, (context_options){0});
  uws_ws(0, server, "/*",
         (behavior){.max_payload = 1000000, .max_backpressure = 64 << 20, .open = opened, .message = message}, NULL);
  uws_app_listen_with_config(0, server, (listen_config){0, "127.0.0.1", 0}, listening, NULL);
  return socketify_loop_run(own, 0);
}
