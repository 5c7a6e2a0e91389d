"""DALI: lamps (control gear, IEC 62386-102) behind a converter on a serial line or TCP, asked and never switched."""
