"""Domains of public mail services, in which only the service's own servers have addresses."""

from __future__ import annotations

#: The services with the most users, by their own pages and the lists of other mail software (November 2026).
_NAMES = """
gmail.com googlemail.com outlook.com outlook.de outlook.fr hotmail.com hotmail.co.uk hotmail.de hotmail.fr hotmail.it
hotmail.es live.com live.co.uk live.de live.fr msn.com yahoo.com yahoo.co.uk yahoo.de yahoo.fr yahoo.it yahoo.es
yahoo.co.jp yahoo.co.in yahoo.com.br yahoo.ca ymail.com rocketmail.com aol.com aim.com icloud.com me.com mac.com
gmx.de gmx.net gmx.com gmx.at gmx.ch web.de t-online.de freenet.de posteo.de mailbox.org arcor.de mail.com email.com
proton.me protonmail.com protonmail.ch pm.me tuta.com tutanota.com tutanota.de fastmail.com fastmail.fm hey.com
zoho.com zohomail.com zohomail.eu mail.ru bk.ru list.ru inbox.ru yandex.ru yandex.com ya.ru rambler.ru ukr.net
qq.com foxmail.com 163.com 126.com sina.com sohu.com naver.com daum.net hanmail.net rediffmail.com
orange.fr wanadoo.fr free.fr sfr.fr laposte.net libero.it virgilio.it tiscali.it alice.it tin.it bluewin.ch
comcast.net verizon.net att.net sbcglobal.net bellsouth.net cox.net charter.net btinternet.com sky.com
virginmedia.com ntlworld.com shaw.ca rogers.com bigpond.com optusnet.com.au uol.com.br bol.com.br terra.com.br
wp.pl o2.pl interia.pl onet.pl seznam.cz centrum.cz abv.bg freemail.hu ziggo.nl kpnmail.nl telenet.be skynet.be
"""
PUBLIC_DOMAINS = frozenset(_NAMES.split())
