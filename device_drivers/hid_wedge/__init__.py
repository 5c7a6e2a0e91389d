"""USB card readers that type like a keyboard, read from their input device, not from what they type (tag-readers.md, hid_wedge)."""
