"""All drivers and device models. A new family is one folder, and one word in `FAMILIES`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from device_drivers.chirpstack import record as chirpstack
from device_drivers.dahua import record as dahua
from device_drivers.dali import record as dali
from device_drivers.dlt645 import record as dlt645
from device_drivers.driver import Driver, Model
from device_drivers.esphome import record as esphome
from device_drivers.fcard_wand import record as fcard_wand
from device_drivers.frigate import record as frigate
from device_drivers.gat1400 import record as gat1400
from device_drivers.gb28181 import record as gb28181
from device_drivers.gwiot import record as gwiot
from device_drivers.hid_wedge import record as hid_wedge
from device_drivers.hikvision import record as hikvision
from device_drivers.homeassistant import record as homeassistant
from device_drivers.homie import record as homie
from device_drivers.ibutton import record as ibutton
from device_drivers.json_map import record as json_map
from device_drivers.mediamtx import record as mediamtx
from device_drivers.milesight import record as milesight
from device_drivers.modbus import record as modbus
from device_drivers.native import record as native
from device_drivers.ndef import record as ndef
from device_drivers.neuron import record as neuron
from device_drivers.ntag424 import record as ntag424
from device_drivers.onvif import record as onvif
from device_drivers.openbeken import record as openbeken
from device_drivers.osdp import record as osdp
from device_drivers.patrol_export import record as patrol_export
from device_drivers.phone import record as phone
from device_drivers.pn532 import record as pn532
from device_drivers.rdm6300 import record as rdm6300
from device_drivers.rtsp import record as rtsp
from device_drivers.shelly import record as shelly
from device_drivers.sparkplug import record as sparkplug
from device_drivers.tasmota import record as tasmota
from device_drivers.tts import record as tts
from device_drivers.wiegand_serial import record as wiegand_serial
from device_drivers.wled import record as wled
from device_drivers.zigbee2mqtt import record as zigbee2mqtt

FAMILIES = (
    native,
    rdm6300,
    gwiot,
    wiegand_serial,
    pn532,
    ibutton,
    osdp,
    hid_wedge,
    zigbee2mqtt,
    tasmota,
    openbeken,
    frigate,
    patrol_export,
    fcard_wand,
    ndef,
    ntag424,
    phone,
    gb28181,
    gat1400,
    modbus,
    dlt645,
    dali,
    json_map,
    neuron,
    homie,
    hikvision,
    dahua,
    onvif,
    rtsp,
    mediamtx,
    milesight,
    chirpstack,
    tts,
    sparkplug,
    homeassistant,
    shelly,
    esphome,
    wled,
)
"""The record module of each family, in the order in which they are listed."""

DRIVERS: Mapping[str, Driver] = MappingProxyType(
    {driver.name: driver for family in FAMILIES for driver in family.DRIVERS}
)
"""By the name that a site file uses."""

MODELS: tuple[Model, ...] = tuple(model for driver in DRIVERS.values() for model in driver.models)
"""All device models known to work."""
