"""One recording from open devices to a closed capture.

May import `acquire.assignment`, `acquire.bluetooth`, `acquire.event_log`, `acquire.hardware`, `acquire.ledbox`,
`acquire.media`, `acquire.protocol` and `acquire.quality`.
"""
