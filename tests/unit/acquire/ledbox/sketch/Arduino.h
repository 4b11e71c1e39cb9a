// The little of Arduino that the sketch needs, on a POSIX terminal: standard input and output are its serial port,
// file descriptor 3 gets a line for each change of the light, and the signal USR1 is the footswitch.
#pragma once
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <poll.h>
#include <unistd.h>

enum { LOW, HIGH, INPUT, OUTPUT, INPUT_PULLUP, RISING, FALLING };

inline uint64_t nanoseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return uint64_t(now.tv_sec) * 1000000000ULL + now.tv_nsec;
}

inline uint64_t startedNs = nanoseconds();
inline uint32_t firstUs = 0;

// Steps of 4 us, as a board of 16 MHz counts.
inline uint32_t micros() { return (firstUs + uint32_t((nanoseconds() - startedNs) / 1000)) & ~3u; }

inline void delayMicroseconds(uint32_t us) {
  uint64_t until = nanoseconds() + uint64_t(us) * 1000;
  while (nanoseconds() < until) {
  }
}

inline void pinMode(uint8_t, uint8_t) {}
inline void digitalWrite(uint8_t, uint8_t level) { dprintf(3, "%d %llu\n", level, (unsigned long long)nanoseconds()); }
inline int digitalPinToInterrupt(uint8_t pin) { return pin; }
inline void (*interruptHandler)() = nullptr;
inline void onSignal(int) { interruptHandler(); }
inline void attachInterrupt(int, void (*handler)(), int) {
  interruptHandler = handler;
  signal(SIGUSR1, onSignal);
}

struct SerialPort {
  void begin(uint32_t) {}
  int available() {
    pollfd port = {0, POLLIN, 0};
    return poll(&port, 1, 0) > 0 && (port.revents & POLLIN) ? 1 : 0;
  }
  int read() {
    char c;
    if (::read(0, &c, 1) != 1) {
      exit(0);
    }
    return (unsigned char)c;
  }
  void write(const char *text) {
    if (::write(1, text, strlen(text)) < 0) {
      exit(0);
    }
  }
  void print(const char *text) { write(text); }
  void print(char c) {
    char text[2] = {c, 0};
    write(text);
  }
  void print(uint32_t number) {
    char text[12];
    snprintf(text, sizeof text, "%u", number);
    write(text);
  }
};
inline SerialPort Serial;

void setup();
void loop();

int main(int count, char **arguments) {
  firstUs = count > 1 ? strtoul(arguments[1], nullptr, 10) : 0;
  setup();
  while (getppid() != 1) {
    loop();
    usleep(50);
  }
}
