"""The MQTT session that a site's definition asks for."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.links.link import MqttLink, Receiver
from gateway.links.mqtt5_session import Mqtt5Session
from gateway.links.paho_session import PahoSession
from gateway.links.standing import Clock, utc_now
from gateway.site.model import Mqtt

SESSIONS: dict[str, type[Mqtt5Session | PahoSession]] = {"mqtt5": Mqtt5Session, "paho": PahoSession}


def mqtt_link(
    settings: Mqtt,
    *,
    client_id: str,
    filters: Sequence[str],
    receiver: Receiver,
    devices: Sequence[str] = (),
    had_session: bool = False,
    kept: bool = True,
    ending: str = "-copies",
    clock: Clock = utc_now,
) -> MqttLink:
    """A session for the broker of `settings`, not yet connected: run it.

    Args:
        settings: `settings.session` says which kind; `settings.client_id` goes before `client_id`.
        client_id: stable over restarts, unique at the broker; for example `lamplighter-SITE`.
        filters: topic filters to subscribe to at QoS 1.
        receiver: gets messages and changes of state.
        devices: ids of the devices that speak through this broker.
        had_session: the journal knows of an earlier session; finding none at the broker means it was lost.
        kept: False: only for copies (`BrokerSession`); a client id of the site file gets an ending of its own.
        ending: that ending.
        clock: the wall clock, for `received`.
    """
    return SESSIONS[settings.session](
        settings,
        client_id=(settings.client_id or client_id) + ("" if kept else ending),
        filters=filters,
        receiver=receiver,
        devices=devices,
        had_session=had_session,
        kept=kept,
        clock=clock,
    )
