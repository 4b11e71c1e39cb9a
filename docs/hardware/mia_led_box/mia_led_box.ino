// LED box for mia-record: line protocol in docs/led-box.md. Any Arduino board with a serial port.
//
// LED and buzzer hang on one pin, so they go on together: the pin drives the LED by a resistor and an active buzzer
// (one with an oscillator of its own) by a transistor. A footswitch or a TTL line goes to the input.

const uint8_t LIGHT_PIN = 8;        // LED and active buzzer
const uint8_t INPUT_PIN = 2;        // footswitch to ground (INPUT_HIGH false), or a TTL line (true)
const bool INPUT_HIGH = false;      // which level is a trigger
const uint32_t BAUD = 115200;
const uint32_t BYTE_US = 10000000UL / BAUD;  // ten bits on the wire; 0 for a board whose port is USB itself
const uint32_t BOUNCE_US = 20000;   // a switch bounces for milliseconds
const uint16_t LONGEST_FLASH_MS = 5000;
const uint8_t LONGEST_LINE = 64;

char line[LONGEST_LINE + 2];
uint8_t lineLength = 0;
bool lit = false;
uint32_t litAtUs = 0;
uint32_t litForUs = 0;

volatile bool triggered = false;
volatile uint32_t triggeredAtUs = 0;
uint32_t lastTriggerUs = 0;
bool triggeredBefore = false;

// The interrupt takes the time; the main loop reports it when the line is free.
void onInput() {
  if (!triggered) {
    triggeredAtUs = micros();
    triggered = true;
  }
}

uint8_t digits(uint32_t number) {
  uint8_t n = 1;
  while (number >= 10) {
    number /= 10;
    n++;
  }
  return n;
}

// The answer is longer than the question by a blank and the clock's digits (less what the question had beyond its
// number). Waiting as long as those bytes take on the wire before the clock is read makes both ways equally long,
// which is what the host assumes of them.
void waitAlike(int extraOfQuestion) {
  int surplus = 1 + digits(micros()) - extraOfQuestion;
  if (surplus > 0) {
    delayMicroseconds(surplus * BYTE_US);
  }
}

// Reads a decimal number of at most ten digits at `at`; returns what follows it, or null.
const char *readNumber(const char *at, uint32_t &number, char *text) {
  uint8_t n = 0;
  number = 0;
  while (*at >= '0' && *at <= '9') {
    if (n == 10) {
      return nullptr;
    }
    number = number * 10 + (*at - '0');
    text[n++] = *at++;
  }
  text[n] = '\0';
  return n ? at : nullptr;
}

void answer(const char *name, const char *number, uint32_t atUs) {
  Serial.print(name);
  Serial.print(' ');
  Serial.print(number);
  Serial.print(' ');
  Serial.print(atUs);
  Serial.print('\n');
}

void say(const char *text) {
  Serial.print(text);
  Serial.print('\n');
}

void obey() {
  char number[11], milliseconds[11];
  uint32_t n, ms;
  if (lineLength > LONGEST_LINE) {
    say("ERR line too long");
  } else if (strcmp(line, "ID") == 0) {
    say("ID mia-led-box 1");
  } else if (strncmp(line, "PING ", 5) == 0) {
    const char *rest = readNumber(line + 5, n, number);
    if (rest == nullptr || *rest != '\0') {
      say("ERR not understood");
      return;
    }
    waitAlike(0);
    answer("PONG", number, micros());
  } else if (strncmp(line, "FLASH ", 6) == 0) {
    const char *rest = readNumber(line + 6, n, number);
    if (rest == nullptr || *rest != ' ') {
      say("ERR not understood");
      return;
    }
    rest = readNumber(rest + 1, ms, milliseconds);
    if (rest == nullptr || *rest != '\0') {
      say("ERR not understood");
      return;
    }
    if (ms < 1 || ms > LONGEST_FLASH_MS) {
      say("ERR duration out of range");
      return;
    }
    waitAlike(1 + strlen(milliseconds));
    digitalWrite(LIGHT_PIN, HIGH);
    litAtUs = micros();
    litForUs = ms * 1000UL;
    lit = true;
    answer("FLASH", number, litAtUs);
  } else {
    say("ERR not understood");
  }
}

void setup() {
  pinMode(LIGHT_PIN, OUTPUT);
  digitalWrite(LIGHT_PIN, LOW);
  pinMode(INPUT_PIN, INPUT_HIGH ? INPUT : INPUT_PULLUP);
  attachInterrupt(digitalPinToInterrupt(INPUT_PIN), onInput, INPUT_HIGH ? RISING : FALLING);
  Serial.begin(BAUD);
  say("ID mia-led-box 1");  // tells a host that had it open that the box began again
}

void loop() {
  if (lit && micros() - litAtUs >= litForUs) {
    digitalWrite(LIGHT_PIN, LOW);
    lit = false;
  }
  if (triggered) {
    uint32_t at = triggeredAtUs;
    triggered = false;
    if (!triggeredBefore || at - lastTriggerUs > BOUNCE_US) {
      Serial.print("TRIG ");
      Serial.print(at);
      Serial.print('\n');
    }
    lastTriggerUs = at;
    triggeredBefore = true;
  }
  while (Serial.available() > 0) {
    char c = Serial.read();
    if (c == '\n') {
      if (lineLength > 0 && lineLength <= LONGEST_LINE && line[lineLength - 1] == '\r') {
        lineLength--;
      }
      line[lineLength <= LONGEST_LINE ? lineLength : LONGEST_LINE] = '\0';
      obey();
      lineLength = 0;
    } else if (lineLength <= LONGEST_LINE) {
      line[lineLength] = c;
      lineLength++;  // one beyond the longest means: too long
    }
  }
}
