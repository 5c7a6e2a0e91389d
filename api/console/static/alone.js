// A single page: only its ages move.

import { startClock } from "/static/clock.js";

startClock();
