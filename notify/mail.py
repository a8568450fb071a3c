"""Mail by SMTP: text and HTML, TLS as the channel says, to a judged address."""

import smtplib
import socket
import ssl
from email.message import EmailMessage
from email.utils import format_datetime
from ipaddress import ip_address

from notify.errors import AddressForbidden, Again, Refused
from notify.kinds import Email
from notify.payloads import plain
from notify.senders import Outgoing, Tools
from notify.wire import Receipt


def message(kind: Email, out: Outgoing, tools: Tools) -> EmailMessage:
    """The mail; its Message-ID is that of the delivery, so that a second copy is known for one."""
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = plain.subject(out.content), kind.sender, ", ".join(kind.to)
    mail["Date"], mail["Message-ID"] = format_datetime(tools.now), f"<{out.key}@{kind.sender.partition('@')[2]}>"
    mail["Auto-Submitted"], mail["X-Conclave-Delivery"] = "auto-generated", out.delivery_id
    mail.set_content(plain.mail_text(out.content, out.delivery_id, out.unsure))
    mail.add_alternative(plain.mail_html(out.content, out.delivery_id, out.unsure), subtype="html")
    return mail


def deliver(kind: Email, out: Outgoing, tools: Tools) -> Receipt:
    """Hand the mail to the server; raises Again (not reached, or told to come back), Refused, AddressForbidden."""
    address = tools.reach.resolve(kind.host, kind.port)
    if kind.tls == "none" and not (ip_address(address).is_loopback or tools.reach.http):
        raise AddressForbidden(f"({kind.host}: mail without TLS)")
    mail = message(kind, out, tools)
    try:
        with _connected(kind, address, tools.timeout_s) as server:
            if kind.tls == "starttls":
                server.starttls(context=ssl.create_default_context())
            if kind.password is not None:
                server.login(kind.username, tools.vault.value(kind.password))
            refused = server.send_message(mail)
    except smtplib.SMTPResponseException as error:
        raise _judged(error.smtp_code, error.smtp_error) from error
    except smtplib.SMTPRecipientsRefused as error:
        code, said = next(iter(error.recipients.values()))
        raise _judged(code, said) from error
    except (OSError, smtplib.SMTPException) as error:
        raise Again(f"({type(error).__name__})") from error
    return Receipt(250, f"Refused: {', '.join(sorted(refused))}" if refused else "")


def _judged(code: int, said: bytes | str) -> Again | Refused:
    """4xx may pass, 5xx stays (RFC 5321)."""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    words = f"(SMTP {code}: {text[:200]})"
    return Refused(words, status=code) if code >= 500 else Again(words, status=code)


def _connected(kind: Email, address: str, timeout_s: float) -> smtplib.SMTP:
    if kind.tls == "tls":
        return _OverTls(address, kind.host, kind.port, timeout_s)
    return _Plain(address, kind.host, kind.port, timeout_s)


class _Plain(smtplib.SMTP):
    """Connects to the judged address, while TLS and greetings know the name."""

    def __init__(self, address: str, host: str, port: int, timeout_s: float) -> None:
        self.address = address
        super().__init__(host, port, timeout=timeout_s)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return socket.create_connection((self.address, port), timeout)


class _OverTls(smtplib.SMTP_SSL):
    def __init__(self, address: str, host: str, port: int, timeout_s: float) -> None:
        self.address = address
        super().__init__(host, port, timeout=timeout_s, context=ssl.create_default_context())

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return self.context.wrap_socket(socket.create_connection((self.address, port), timeout), server_hostname=host)
